// The runtime's own WebSocket. Arguments: the URL; "echoes" if the server only echoes.
import process from "node:process";
import { exchangeEchoes, exchangeMore } from "./exchanges.mjs";

const [url, only] = process.argv.slice(2);
const kit = { WebSocket: globalThis.WebSocket };
const results = await exchangeEchoes(`${url}/echo`, kit);
if (only !== "echoes") Object.assign(results, await exchangeMore(url, kit));
console.log(JSON.stringify(results));
process.exit(0);
