import { CloseCode } from "../protocol/close_code.ts";
import { WebSocketError } from "../protocol/errors.ts";
import type { ConnectionSettings } from "./connection_settings.ts";
import { BudgetAccount, STEP } from "./memory_budget.ts";

/** The members of a connection that its {@linkcode MemoryAccount} uses. */
export interface AccountCore {
  readonly settings: Pick<ConnectionSettings<unknown>, "limits" | "budget">;
  readonly sender: { readonly memoryUsage: number; readonly isFull: boolean };
  readonly keepalive: { readonly memoryUsage: number };
  readonly receiver: { readonly unfinishedBytes: number; onBudgetChange(): void };
  readonly transport: { abort(): void };
  readonly readers: { dropUnread(most: number): void };
  /** Whether the transport is closed. */
  readonly isClosed: boolean;
  /** Whether the connection has failed. */
  readonly hasFailed: boolean;
  /** Fails the connection, and frees its memory at once. */
  fail(error: unknown, freesMemory: true): void;
  /** Measures the memory usage again. */
  updateMemoryUsage(): void;
}

/**
 * The account of one connection's memory: reports the usage to the budget of the server, if there is
 * one, and fails the connection if it exceeds `maxConnectionMemory`.
 */
export class MemoryAccount extends BudgetAccount {
  readonly #core: AccountCore;

  constructor(core: AccountCore) {
    super(core.settings.budget);
    this.#core = core;
  }

  /** Returns whether a connection that has no account needs one. */
  static isNeeded(usage: number, { limits, budget }: AccountCore["settings"]): boolean {
    return (usage >= STEP && budget !== undefined) || usage > limits.maxConnectionMemory;
  }

  /** Records the measured usage, in bytes. */
  update(usage: number): void {
    const { limits: { maxConnectionMemory: max } } = this.#core.settings;
    this.report(usage);
    if (usage > max && !this.#core.isClosed && !this.#core.hasFailed) {
      this.#core.fail(this.#overLimit(usage, max), true);
    }
  }

  override onBudgetChange(): void {
    this.#core.receiver.onBudgetChange();
  }

  override evict(error: unknown): void {
    const core = this.#core;
    if (core.isClosed) {
      core.readers.dropUnread(0);
      return core.updateMemoryUsage();
    }
    const isSecond = core.hasFailed;
    core.fail(error, true);
    // A Close frame behind data that the peer does not read would free nothing.
    if (isSecond || core.sender.isFull) core.transport.abort();
    else core.updateMemoryUsage();
  }

  /** The close code names the largest part. */
  #overLimit(usage: number, max: number): WebSocketError {
    const { sender, keepalive, receiver } = this.#core;
    const [part, closeCode] = sender.memoryUsage + keepalive.memoryUsage > usage / 2
      ? ["the send queue", CloseCode.TryAgainLater]
      : receiver.unfinishedBytes > usage / 2
      ? ["an unfinished message", CloseCode.MessageTooBig]
      : ["unread messages", CloseCode.PolicyViolation];
    return new WebSocketError(
      `Cannot hold ${usage} bytes, most of them for ${part}: at most ${max} are allowed`,
      { code: "ERR_CONNECTION_MEMORY", closeCode },
    );
  }
}
