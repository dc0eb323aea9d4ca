/** An option of a command. */
export interface OptionSpec {
  /** The name, without the dashes. */
  readonly name: string;
  /** The letter of the short form. */
  readonly short?: string;
  /** The value in the help, such as `SECONDS`; without it, the option is a flag. */
  readonly value?: string;
  /** Whether it may be given several times. */
  readonly isList?: boolean;
  /** The description in the help. */
  readonly help: string;
}

/** A command. */
export interface CommandSpec {
  readonly name: string;
  /** The arguments in the help, such as `URL`. */
  readonly operands: readonly string[];
  /** What the command does, in the help. */
  readonly summary: string;
  /** Further lines of the help. */
  readonly details?: string;
  readonly options: readonly OptionSpec[];
}

/** Reports wrong arguments. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const HELP: OptionSpec = { name: "help", short: "h", help: "show this help" };

/** The arguments of a command, parsed. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(operands: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.operands = operands;
    this.#values = values;
  }

  /** Returns whether a flag, or an option, is given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Returns all values of an option. */
  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Returns the value of an option. */
  text(name: string): string | undefined {
    return this.all(name).at(-1);
  }

  /** Returns the value of an option as a number of at least `min`. */
  number(name: string, fallback: number, min = 0): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = text.trim() === "" ? NaN : Number(text);
    if (!(value >= min)) {
      throw new UsageError(`--${name}: expected a number of at least ${min}, got "${text}"`);
    }
    return value;
  }

  /** Returns the value of an option as an integer of at least `min`. */
  integer(name: string, fallback: number, min = 1): number {
    const value = this.number(name, fallback, min);
    if (!Number.isSafeInteger(value)) {
      throw new UsageError(`--${name}: expected an integer, got "${this.text(name)}"`);
    }
    return value;
  }
}

/**
 * Parses the arguments of a command: `--name value`, `--name=value`, `-n value`, and operands.
 *
 * @throws {UsageError} If an option is unknown, or lacks its value, or the number of operands is wrong.
 */
export function parseArguments(spec: CommandSpec, args: readonly string[]): Arguments {
  const operands: string[] = [];
  const values = new Map<string, string[]>();
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      operands.push(...rest.splice(0));
    } else if (!arg.startsWith("-") || arg === "-") {
      operands.push(arg);
    } else {
      const [, name = "", inline] = /^(--?[^=]*)(?:=([^]*))?$/.exec(arg)!;
      const option = optionOf(spec, name);
      const value = option.value === undefined ? inline : inline ?? rest.shift();
      if (option.value === undefined && inline !== undefined) {
        throw new UsageError(`--${option.name}: expected no value, got "${inline}"`);
      }
      if (option.value !== undefined && value === undefined) {
        throw new UsageError(`--${option.name}: expected a value, ${option.value}`);
      }
      const previous = values.get(option.name) ?? [];
      if (previous.length > 0 && !option.isList) {
        throw new UsageError(`--${option.name} is given twice`);
      }
      values.set(option.name, [...previous, value ?? ""]);
    }
  }
  const parsed = new Arguments(operands, values);
  const expected = spec.operands;
  const required = expected.filter((name) => !name.startsWith("[")).length;
  if (!parsed.has("help") && (operands.length < required || operands.length > expected.length)) {
    throw new UsageError(
      `expected ${expected.length === 0 ? "no argument" : expected.join(" ")}, ` +
        `got ${operands.length === 0 ? "none" : operands.join(" ")}`,
    );
  }
  return parsed;
}

function optionOf(spec: CommandSpec, name: string): OptionSpec {
  const option = [...spec.options, HELP].find((option) =>
    name === `--${option.name}` || (option.short !== undefined && name === `-${option.short}`)
  );
  if (option === undefined) throw new UsageError(`unknown option ${name}`);
  return option;
}

/** Returns the help of a command. */
export function helpOf(spec: CommandSpec, program: string): string {
  const rows = [...spec.options, HELP].map((option): [string, string] => [
    `${option.short === undefined ? "    " : `-${option.short}, `}--${option.name}` +
    `${option.value === undefined ? "" : ` ${option.value}`}`,
    option.help,
  ]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const usage = [program, spec.name, ...spec.operands, "[options]"].join(" ");
  const options = rows.map(([name, help]) =>
    `  ${name.padEnd(width)}${help.replaceAll("\n", `\n${" ".repeat(width + 2)}`)}`
  );
  const details = spec.details === undefined ? "" : `\n\n${spec.details}`;
  return `${spec.summary}${details}\n\nUsage: ${usage}\n\nOptions:\n${options.join("\n")}\n`;
}
