import process from "node:process";
import { helpOf, parseArguments, UsageError } from "./arguments.ts";
import type { Arguments, CommandSpec } from "./arguments.ts";
import { benchCommand, benchSpec } from "./bench_command.ts";
import { connectCommand, connectSpec } from "./connect_command.ts";
import { ExitCode } from "./exit_code.ts";
import { listenCommand, listenSpec } from "./listen_command.ts";
import { proxyCommand, proxySpec } from "./proxy_command.ts";
import { Terminal } from "./terminal.ts";

/** The name of the program in its help. */
const PROGRAM = "sluice";

interface Command {
  readonly spec: CommandSpec;
  readonly run: (args: Arguments, terminal: Terminal) => Promise<number>;
}

const commands: readonly Command[] = [
  { spec: connectSpec, run: connectCommand },
  { spec: listenSpec, run: listenCommand },
  { spec: proxySpec, run: proxyCommand },
  { spec: benchSpec, run: benchCommand },
];

/**
 * Runs the command line.
 *
 * @param args The arguments: the name of a command, its operands and its options.
 * @default {process.argv.slice(2)}
 * @returns The exit code: 0 for a clean end, 1 for another failure, 2 if a connection was refused, 3 if it
 * was lost, 4 if the protocol or a limit was violated, 64 for wrong arguments.
 */
export async function main(args: readonly string[] = process.argv.slice(2)): Promise<number> {
  const terminal = new Terminal();
  const [name = "--help", ...rest] = args;
  const command = commands.find(({ spec }) => spec.name === name);
  try {
    if (name === "--help" || name === "-h" || name === "help") {
      await terminal.write(overview());
      return args.length === 0 ? ExitCode.Usage : ExitCode.Clean;
    }
    if (command === undefined) throw new UsageError(`unknown command "${name}"`);
    const parsed = parseArguments(command.spec, rest);
    if (parsed.has("help")) {
      await terminal.write(helpOf(command.spec, PROGRAM));
      return ExitCode.Clean;
    }
    return await command.run(parsed, terminal);
  } catch (error) {
    const { message } = error as Error;
    const of = command === undefined ? "" : ` ${command.spec.name}`;
    await terminal.note(terminal.paint("red", `${PROGRAM}${of}: ${terminal.show(message)}`));
    if (!(error instanceof UsageError)) return ExitCode.Failed;
    await terminal.note(`Try: ${PROGRAM}${of} --help`);
    return ExitCode.Usage;
  } finally {
    terminal.close();
  }
}

function overview(): string {
  const rows = commands.map(({ spec: { name, operands, summary } }) =>
    `  ${[name, ...operands].join(" ").padEnd(26)}${summary}`
  );
  return `A client, a server and a frame inspector for WebSockets.

Usage: ${PROGRAM} COMMAND [options]

Commands:
${rows.join("\n")}

${PROGRAM} COMMAND --help shows the options of a command.

Exit codes: 0 clean end, 1 other failure, 2 refused, 3 connection lost, 4 protocol or limit violated,
64 wrong arguments. With NO_COLOR set, and without a terminal, there are no colours.
`;
}
