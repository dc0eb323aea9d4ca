import { getOrCreate } from "../util/maps.ts";
import { Timeouts } from "../util/timeouts.ts";

/** A question to all nodes whose answers are still missing. */
export interface Question {
  readonly number: number;
  readonly topics: string[];
  /** When it was asked. */
  readonly asked: number;
  /**
   * The nodes that have not answered. For a question to all nodes, this node is one of them until the question
   * has come back.
   */
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
  /** By node, the topics of questions that it has not answered in time. */
  readonly #timedOut = new Map<string, Set<string>>();
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

  /** Returns the topics of questions that a node has not answered in time, and forgets them. */
  takeTimedOut(node: string): string[] {
    const topics = this.#timedOut.get(node);
    this.#timedOut.delete(node);
    return [...topics ?? []];
  }

  /** Forgets the topics of all nodes but these. */
  retain(nodes: ReadonlyMap<string, unknown>): void {
    for (const node of this.#timedOut.keys()) if (!nodes.has(node)) this.#timedOut.delete(node);
  }

  /** Ends all questions. */
  close(): void {
    this.#timeouts.clear();
    for (const number of [...this.#open.keys()]) this.#end(number);
  }

  #end(number: number): void {
    const question = this.#open.get(number);
    if (question === undefined) return;
    this.#open.delete(number);
    for (const node of question.waiting) if (node !== question.own) this.#keep(node, question);
    question.end(!question.waiting.has(question.own));
  }

  #keep(node: string, { topics }: Question): void {
    const timedOut = getOrCreate(this.#timedOut, node, () => new Set());
    for (const topic of topics) timedOut.add(topic);
  }
}
