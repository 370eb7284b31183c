// Unpacks Chromium into the temporary directory, and prints the path of the program.
import chromium from '@sparticuz/chromium'

console.log(await chromium.executablePath())
