// The load generator, on Bun: `bun bench/load/main.ts TASK`, with TASK as JSON. Prints the result as
// a line of JSON.
import process from "node:process";
import type { Kind, Result, Task } from "../loads.ts";
import { broadcast } from "./broadcast.ts";
import { echo } from "./echo.ts";
import { handshakes } from "./handshakes.ts";
import { http } from "./http.ts";
import { idle } from "./idle.ts";

const kinds: Record<Kind, (task: Task) => Promise<Result>> = {
  broadcast,
  echo,
  handshakes,
  idle,
  http,
};

const task: Task = JSON.parse(process.argv[2] ?? "");
try {
  const result = await kinds[task.load.kind](task);
  const { value, serverCpu } = result;
  if (serverCpu !== undefined && value > 0) result.cpuPerUnit = serverCpu / value * 1e6;
  console.log(JSON.stringify(result));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
process.exit();
