import type { Role } from "../protocol/frame.ts";
import type { Limits } from "../protocol/limits.ts";
import type { MemoryBudget } from "./memory_budget.ts";
import type { Overflow } from "./overflow.ts";
import type { Timers } from "../util/timers.ts";

/** What endpoints have in common: one object for all connections of a server. */
export interface EndpointSettings {
  readonly role: Role;
  readonly limits: Readonly<Limits>;
  /** What times their waits. */
  readonly timers: Timers;
  /** What the server's connections may hold together. */
  readonly budget: MemoryBudget | undefined;
}

/** What connections have in common beside that. */
export interface ConnectionSettings<Socket> extends EndpointSettings {
  /** What is done with a send that there is no room for. */
  readonly overflow: Overflow;
  /** Makes the opening handshake's request when somebody asks for it. */
  readonly makeRequest: (headText: string) => Request;
  /** Who is told what goes wrong. */
  readonly onError: (error: unknown, socket: Socket) => void;
  /** Who is told that a connection has ended. */
  readonly onClosed: ((socket: Socket) => void) | undefined;
}
