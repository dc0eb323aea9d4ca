// One bar in a process of its own.
import { answer, configuration } from "../cluster/processes.ts";
import type { Size } from "./bar.ts";
import { BARS } from "./bars.ts";

const { name, size } = configuration<{ name: string; size: Size }>();
answer({ run: () => BARS[name]!.run(size) });
