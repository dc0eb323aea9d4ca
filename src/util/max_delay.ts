/** The longest delay that a timer can have, in milliseconds. */
export const MAX_DELAY: number = 2 ** 31 - 1;
