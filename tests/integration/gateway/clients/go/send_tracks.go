// Sends numbered tracks to a host and prints the numbers of those that the library gave up.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/segmentio/analytics-go/v3"
)

type callback struct{}

func (callback) Success(analytics.Message) {}

func (callback) Failure(message analytics.Message, _ error) {
	fmt.Println("given up", message.(analytics.Track).Properties["feature"])
}

func main() {
	host := os.Args[1]
	count, _ := strconv.Atoi(os.Args[2])
	pause, _ := strconv.Atoi(os.Args[3])
	client, err := analytics.NewWithConfig("demo-write-key", analytics.Config{
		Endpoint:  host,
		BatchSize: 10,
		Interval:  500 * time.Millisecond,
		Callback:  callback{},
		Logger:    analytics.StdLogger(log.New(os.Stderr, "", log.LstdFlags)),
	})
	if err != nil {
		log.Fatal(err)
	}
	for number := 0; number < count; number++ {
		err := client.Enqueue(analytics.Track{
			UserId:     "u",
			Event:      "Report Exported",
			Context:    &analytics.Context{Extra: map[string]interface{}{"groupId": "acme"}},
			Properties: analytics.NewProperties().Set("feature", strconv.Itoa(number)),
		})
		if err != nil {
			log.Fatal(err)
		}
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
}
