// Run by Node: the codec of the `ws` package. Standard input is a JSON list of jobs; each says which
// end `ws` is, its options, the header that it gets, and messages as we compressed them. Standard
// output is, for each, the header that it sends, and the messages, decompressed and compressed again.
import { createRequire } from "node:module";
import { stdin, stdout } from "node:process";
import { fileURLToPath } from "node:url";

// Not among the exports of the package: so by its path.
const lib = fileURLToPath(new URL("../../node_modules/ws/lib/", import.meta.url));
const require = createRequire(import.meta.url);
const PerMessageDeflate = require(`${lib}permessage-deflate.js`);
const { format, parse } = require(`${lib}extension.js`);

async function work({ isServer, options, header, messages = [] }) {
  const deflate = new PerMessageDeflate({
    threshold: 0,
    maxPayload: 1 << 24,
    isServer,
    ...options,
  });
  let sends;
  if (isServer) {
    sends = format({ "permessage-deflate": deflate.accept(parse(header)["permessage-deflate"]) });
  } else {
    sends = format({ "permessage-deflate": deflate.offer() });
    if (header) deflate.accept(parse(header)["permessage-deflate"]);
  }
  const call = (method, bytes) =>
    new Promise((resolve, reject) => {
      deflate[method](bytes, true, (error, result) => error ? reject(error) : resolve(result));
    });
  const plain = [];
  const compressed = [];
  for (const message of messages) {
    const bytes = Buffer.from(await call("decompress", Buffer.from(message, "base64")));
    plain.push(bytes.toString("base64"));
    compressed.push(Buffer.from(await call("compress", bytes)).toString("base64"));
  }
  deflate.cleanup();
  return { sends, plain, compressed };
}

let input = "";
for await (const chunk of stdin) input += chunk;
const results = [];
for (const job of JSON.parse(input)) results.push(await work(job));
stdout.write(JSON.stringify(results));
