// A node with one member, in a process of its own.
import { presence, topics } from "../../../src/topics/mod.ts";
import { connectRelay } from "../../support/broker_clients.ts";
import { answer, configuration } from "../cluster/processes.ts";
import { sleep } from "./bar.ts";

const { port, member } = configuration<{ port: number; member: string }>();
const { relay } = await connectRelay("node-redis", port, { prefix: "test" });
const people = presence<null>(topics({ relay, onError() {} }));
people.join({ readyState: 1, send() {}, close() {} }, "lobby", member, null);

answer({
  /** Resolves when there are so many members. */
  async members(count: number) {
    while (people.count("lobby") !== count) await sleep(10);
  },
});
