export const mode: string;
export function ready(port: number): void;
