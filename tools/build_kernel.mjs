// `npm run build:kernel`: assembles src/protocol/simd_kernel.wat into simd_kernel_bytes.ts beside it.
// With --check nothing is written: it fails if the file is not what the source builds.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root, setUp } from "./setup.mjs";

const isCheck = process.argv.includes("--check");
if (!isCheck) setUp();
const { default: load } = await import("wabt");

const source = join(root, "src/protocol/simd_kernel.wat");
const target = join(root, "src/protocol/simd_kernel_bytes.ts");

const features = { simd: true };
const wat = (await load()).parseWat("simd_kernel.wat", readFileSync(source, "utf8"), features);
wat.resolveNames();
wat.validate(features);
const { buffer } = wat.toBinary({});
wat.destroy();

const lines = Buffer.from(buffer).toString("base64").match(/.{1,90}/g);
const text = `// Generated from simd_kernel.wat by \`npm run build:kernel\`.

/** The ${buffer.length} bytes of the WebAssembly module, in base64. */
export const KERNEL_BASE64: string =
${lines.map((line) => `  "${line}"`).join(" +\n")};
`;
if (!isCheck) {
  writeFileSync(target, text);
  console.log(`${buffer.length} bytes`);
} else if (readFileSync(target, "utf8").replaceAll("\r\n", "\n") !== text) {
  console.error("simd_kernel_bytes.ts is not what simd_kernel.wat builds: npm run build:kernel");
  process.exitCode = 1;
}
