import { unrefTimer } from "../transport/event_loop.ts";
import type { Transport } from "../transport/transport.ts";
import { Timers, timers as processTimers } from "../util/timers.ts";
import type { ConnectionSettings } from "./connection_settings.ts";

/** Timers that do not keep the process alive. */
const backgroundTimers: Timers = /* @__PURE__ */ new Timers({
  now: () => performance.now(),
  set(callback, ms) {
    const id = setTimeout(callback, ms);
    unrefTimer(id);
    return id;
  },
  clear: (id) => clearTimeout(id as ReturnType<typeof setTimeout>),
});

/** The members of a connection that are used here. */
export interface RefCore {
  readonly transport: Pick<Transport, "setRef">;
  readonly settings: Pick<ConnectionSettings<unknown>, "role" | "timers">;
  readonly keepalive: { changeTimers(): void };
}

/**
 * Sets whether an open connection keeps the process alive.
 *
 * A client's connection has settings of its own. A server's connections share theirs, and its listener
 * keeps the process alive anyway.
 */
export function setRef({ transport, settings, keepalive }: RefCore, isRef: boolean): void {
  transport.setRef?.(isRef);
  const { role, timers } = settings;
  if (role === "server" || timers !== (isRef ? backgroundTimers : processTimers)) return;
  (settings as { timers: Timers }).timers = isRef ? processTimers : backgroundTimers;
  keepalive.changeTimers();
}
