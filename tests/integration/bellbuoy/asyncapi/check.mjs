// Prints what AsyncAPI's own parser says of the document on standard input: its errors, topics and messages.
import { readFileSync } from "node:fs";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(0, "utf8"));
const errors = diagnostics
  .filter((each) => each.severity === 0)
  .map((each) => `${each.path.join("/")}: ${each.message}`);
const topics = document ? document.channels().all().map((each) => each.address()) : [];
const messages = document ? document.messages().all().map((each) => each.name()) : [];
console.log(JSON.stringify({ errors, topics, messages }));
