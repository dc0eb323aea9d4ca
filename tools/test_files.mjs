// The files of the tests, and the lists of them that run in one process each.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

/** The entries of a folder that are tests or hold some, as the runners take them. */
export function entries(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith("_test.ts"))
    .map(({ name }) => ({ name, path: `./${folder}/${name}` }))
    .filter(({ path }) => path.endsWith("_test.ts") || hasTests(path));
}

function hasTests(folder) {
  return testsIn(folder).length > 0;
}

/** The paths of the test files in a folder, from that folder. */
export function testsIn(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith("_test.ts")).sort();
}

/** The bytes of a file, or of the files in a folder: more tests take more time. */
function sizeOf(path) {
  const stat = statSync(join(root, path));
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(join(root, path)).reduce((sum, name) => sum + sizeOf(`${path}/${name}`), 0);
}

/** The paths of entries. */
export const paths = (list) => list.map(({ path }) => path);

/** The tests outside tests/system, a list for each process: those that take longest first. */
export function listsWithoutSystem() {
  const rest = paths(entries("tests").filter(({ name }) => name !== "system"));
  const files = rest.filter((path) => path.endsWith(".ts"));
  const folders = rest.filter((path) => !path.endsWith(".ts"))
    .sort((a, b) => sizeOf(b) - sizeOf(a));
  return [...folders.map((folder) => [folder]), files];
}
