/** The rules of the game, without a network: players move in a field and collect coins. */

/** The field, in its own units. */
export const FIELD = { width: 1600, height: 900 } as const;
/** The longest game has this many players: an id has one byte. */
export const MAX_PLAYERS = 32;
/** The steps of the game in a second. */
export const TICKS = 30;

const COINS = 12;
/** The radius of a player, which stays inside the field as a whole. */
const RADIUS = 28;
/** The radius of a player and of a coin together. */
const REACH = RADIUS + 12;
/** Units that a player moves in a second. */
const SPEED = 420;

/** The bits of a player's keys. */
export const Key = { Up: 1, Down: 2, Left: 4, Right: 8 } as const;

/** A player. */
export interface Player {
  readonly id: number;
  readonly name: string;
  x: number;
  y: number;
  /** The keys that are held down: bits of {@linkcode Key}. */
  keys: number;
  score: number;
  /** The number of the step at which the keys last changed. */
  lastActive: number;
}

/** A coin to be collected. */
export interface Coin {
  x: number;
  y: number;
}

/** The state of the game, which changes with each step. */
export class Game {
  readonly players = new Map<number, Player>();
  readonly coins: Coin[] = [];
  #step = 0;
  readonly #random: () => number;

  /** @param random Returns a number from 0 up to 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
    while (this.coins.length < COINS) this.coins.push(this.#place());
  }

  /** Adds a player. Returns `undefined` if the game is full. */
  join(name: string): Player | undefined {
    for (let id = 1; id <= MAX_PLAYERS; id++) {
      if (this.players.has(id)) continue;
      const player = { id, name, ...this.#place(), keys: 0, score: 0, lastActive: this.#step };
      this.players.set(id, player);
      return player;
    }
    return undefined;
  }

  /** Sets the keys that a player holds down. */
  press(player: Player, keys: number): void {
    player.keys = keys & 15;
    player.lastActive = this.#step;
  }

  /** Moves each player by one step, and gives it the coins that it reaches. */
  step(): void {
    this.#step++;
    for (const player of this.players.values()) {
      const { keys } = player;
      const dx = (keys & Key.Right ? 1 : 0) - (keys & Key.Left ? 1 : 0);
      const dy = (keys & Key.Down ? 1 : 0) - (keys & Key.Up ? 1 : 0);
      const distance = SPEED / TICKS / (Math.hypot(dx, dy) || 1);
      player.x = clamp(player.x + dx * distance, FIELD.width);
      player.y = clamp(player.y + dy * distance, FIELD.height);
      for (const coin of this.coins) {
        if (Math.hypot(coin.x - player.x, coin.y - player.y) > REACH) continue;
        player.score++;
        Object.assign(coin, this.#place());
      }
    }
  }

  /** The players whose keys have not changed for a time, in seconds. */
  idle(seconds: number): Player[] {
    const since = this.#step - seconds * TICKS;
    return [...this.players.values()].filter((player) => player.lastActive < since);
  }

  #place(): Coin {
    const along = (length: number) => RADIUS + this.#random() * (length - 2 * RADIUS);
    return { x: along(FIELD.width), y: along(FIELD.height) };
  }
}

/**
 * Encodes what each client draws: a byte 0, the number of players, each as its id, x, y and score, then the
 * coins as x and y. An id has one byte, and all other numbers two, the first byte first.
 */
export function encodeSnapshot({ players, coins }: Game): Uint8Array {
  const bytes = new Uint8Array(2 + 7 * players.size + 4 * coins.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, players.size);
  let at = 2;
  for (const { id, x, y, score } of players.values()) {
    view.setUint8(at, id);
    view.setUint16(at + 1, x);
    view.setUint16(at + 3, y);
    view.setUint16(at + 5, score);
    at += 7;
  }
  for (const { x, y } of coins) {
    view.setUint16(at, x);
    view.setUint16(at + 2, y);
    at += 4;
  }
  return bytes;
}

function clamp(value: number, length: number): number {
  return Math.min(Math.max(value, RADIUS), length - RADIUS);
}
