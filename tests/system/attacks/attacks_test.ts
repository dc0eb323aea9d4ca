// Every attack, scaled down to a second or two: its answers are correct, and other clients are served
// after it. `deno task attacks` and `bun run attacks` run them at full size and measure the memory.
import { assert, assertEquals, deadline, onTestEnd, test } from "../../harness.ts";
import { attacks } from "./all.ts";
import { Context } from "./attack.ts";
import type { VictimLimits } from "./attack.ts";
import { startVictim } from "./victim.ts";
import { frame } from "../../support/frames.ts";

/** Limits that are short enough for a test. */
const limits: VictimLimits = {
  handshakeTimeout: 500,
  closeTimeout: 250,
  pingInterval: 300,
  pongTimeout: 300,
  maxMessageSize: 1024 * 1024,
  maxFragments: 1024,
};

for (const attack of attacks) {
  const known = attack.known === undefined ? "" : ` (${attack.known.join(", ")})`;
  test(`an attack: ${attack.name}${known}`, async () => {
    const victim = startVictim(limits);
    onTestEnd(() => deadline(victim.stop(), 10_000, "the victim's end"));
    const context = new Context(victim, false);
    onTestEnd(() => context.end());
    const answers = await attack.run(context);
    assert(answers.length > 0);
    assertEquals(answers.filter((answer) => !attack.expected.includes(answer)), []);
    const honest = await context.open("await");
    assert(await context.echoes(honest, (payload) => frame({ opcode: 1, payload })));
  });
}

test("the attacks have names of their own", () => {
  assertEquals(new Set(attacks.map(({ name }) => name)).size, attacks.length);
});
