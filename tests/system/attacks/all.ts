/** All attacks, in the order of the table. */

import type { Attack } from "./attack.ts";
import { clients } from "./cases/clients.ts";
import { compression } from "./cases/compression.ts";
import { connections } from "./cases/connections.ts";
import { controlFloods } from "./cases/control_floods.ts";
import { fairness } from "./cases/fairness.ts";
import { floods } from "./cases/floods.ts";
import { frames } from "./cases/frames.ts";
import { handshakes } from "./cases/handshakes.ts";
import { http } from "./cases/http.ts";
import { memory } from "./cases/memory.ts";
import { hostileRequests } from "./cases/requests.ts";

/** The attacks. */
export const attacks: readonly Attack[] = [
  ...handshakes,
  ...hostileRequests,
  ...http,
  ...frames,
  ...floods,
  ...fairness,
  ...controlFloods,
  ...compression,
  ...connections,
  ...memory,
  ...clients,
];
