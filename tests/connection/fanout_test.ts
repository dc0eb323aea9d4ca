import { ConnectionCounters } from "../../src/connection/counters.ts";
import { Fanout } from "../../src/connection/fanout.ts";
import { SharedMessage } from "../../src/connection/shared_message.ts";
import { assertEquals, test } from "../harness.ts";
import { join } from "../support/bytes.ts";
import { makeSender } from "../support/make_sender.ts";

const MARK = 64 * 1024;

/** Some senders of one server, and a function that sends a text to all: how many of them are members. */
function makeReceivers(count: number) {
  // Only frames of one block can be added: the next ones must not begin another.
  while (new SharedMessage("x".repeat(1000)).frame.start > 0);
  const counters = new ConnectionCounters();
  const all = Array.from({ length: count }, () => {
    const made = makeSender();
    made.core.settings.counters = counters;
    return made;
  });
  const fanout = new Fanout<typeof all[0]>();
  const send = (text: string): number => {
    const message = new SharedMessage(text);
    const members = fanout.extend(message);
    if (members > 0) { for (const { sender } of fanout.others) sender.sendShared(message, MARK); }
    else {fanout.sendToEach(all, message, ({ sender }, run) =>
        sender.sendShared(message, MARK, run));}
    return members;
  };
  return { all, fanout, send, counters };
}

test("Fanout adds a message to the queues of all at once, until one of them sends or writes", () => {
  const { all, send, counters } = makeReceivers(3);
  assertEquals([send("a"), send("b"), send("c")], [0, 3, 3]);
  assertEquals(all.map(({ sender }) => sender.queuedBytes), [9, 9, 9]);
  assertEquals(counters.messagesSent, 9);
  all[1]!.sender.send("own");
  assertEquals([send("d"), send("e")], [0, 3]);
  all[2]!.sender.flush();
  assertEquals([send("f"), send("g")], [0, 3]);
  for (const { sender } of all) sender.flush();
  const texts = all.map(({ transport: { writes } }) =>
    new TextDecoder().decode(join(...writes)).replace(/[^a-z]/g, "")
  );
  assertEquals(texts, ["abcdefg", "abcowndefg", "abcdefg"]);
});

test("Fanout adds messages at once again after a reset, though the run before it has not ended", () => {
  const { fanout, send } = makeReceivers(3);
  assertEquals([send("a"), send("b")], [0, 3]);
  fanout.reset();
  assertEquals([send("c"), send("d"), send("e")], [0, 3, 3]);
});

test("Fanout leaves those whose queue has no room to the caller, and gives up if they are many", () => {
  const { all, fanout, send } = makeReceivers(5);
  all[0]!.core.isOpen = false;
  assertEquals([send("a"), send("b")], [0, 4]);
  assertEquals(fanout.others.length, 1);
  for (const { core } of all.slice(0, 3)) core.isOpen = false;
  fanout.reset();
  assertEquals([send("c"), send("d")], [0, 0]);
});

test("Fanout adds no more than the member with the least room can take", () => {
  const { all, send } = makeReceivers(3);
  all[0]!.sender.send("x".repeat(MARK - 100));
  assertEquals([send("a".repeat(50)), send("b".repeat(40)), send("c".repeat(40))], [0, 3, 0]);
});
