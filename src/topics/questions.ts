import { Timeouts } from "../util/timeouts.ts";

/** A question to all nodes whose answers are still missing. */
export interface Question {
  readonly number: number;
  readonly topics: string[];
  /** When it was asked. */
  readonly asked: number;
  /** The nodes that have not answered. This node is one of them until its own question has come back. */
  readonly waiting: Set<string>;
}

/** A question with what is called at its end. */
interface OpenQuestion extends Question {
  /** The node that asks. */
  readonly own: string;
  readonly end: (hasCome: boolean) => void;
}

/** The questions of a node to the others that are open: until a timeout, answers that are late count, too. */
export class Questions {
  readonly #open = new Map<number, OpenQuestion>();
  readonly #timeouts = new Timeouts();

  /**
   * Opens a question.
   *
   * @param own The node that asks.
   * @param timeout In milliseconds.
   * @returns Whether the question has come back, and all answers have arrived or timed out.
   */
  open(question: Question, own: string, timeout: number): Promise<boolean> {
    const { number } = question;
    return new Promise((resolve) => {
      this.#timeouts.after(timeout, () => this.#end(number));
      this.#open.set(number, { ...question, own, end: resolve });
    });
  }

  get(number: number): Question | undefined {
    return this.#open.get(number);
  }

  /** Returns the open questions of before a time that a node has not answered. */
  unansweredBy(node: string, before: number): Question[] {
    return [...this.#open.values()]
      .filter(({ waiting, asked }) => asked < before && waiting.has(node));
  }

  /** Notes an answer, or that the question has come back to the node that asks. */
  answered(number: number, node: string): void {
    const question = this.#open.get(number);
    question?.waiting.delete(node);
    if (question?.waiting.size === 0) question.end(true);
  }

  /** Ends all questions. */
  close(): void {
    this.#timeouts.clear();
    for (const number of [...this.#open.keys()]) this.#end(number);
  }

  #end(number: number): void {
    const question = this.#open.get(number);
    this.#open.delete(number);
    question?.end(!question.waiting.has(question.own));
  }
}
