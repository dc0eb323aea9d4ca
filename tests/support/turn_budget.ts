import { turnBudget } from "../../src/transport/turn_budget.ts";
import { onTestEnd } from "../harness.ts";

/** Sets the time for received data in an event-loop turn, in milliseconds, until the current test ends. */
export function setTurnBudget(ms: number): void {
  const { budget } = turnBudget;
  turnBudget.budget = ms;
  onTestEnd(() => void (turnBudget.budget = budget));
}
