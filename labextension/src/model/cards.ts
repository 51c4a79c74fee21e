/**
 * Cards by the numbers that people know them by.
 */
import type { IMachines } from './types';

/** One card, as it is or with its end left out, or several after the word for them. */
const CARDS = /(?:GPU )?GPU-[\da-f-]+…?(?:, GPU-[\da-f-]+)*/g;

/** A sentence with the numbers of cards in the place of their UUIDs, where there is one machine. */
export function withNumbers(text: string, machines: IMachines | null): string {
  const [machine, ...others] = machines?.nodes ?? [];
  if (machine === undefined || others.length) {
    return text;
  }
  return text.replace(CARDS, found => {
    const numbers = (found.match(/GPU-[\da-f-]+…?/g) ?? []).map(uuid => {
      const known = machine.gpus.filter(gpu =>
        uuid.endsWith('…')
          ? gpu.uuid.startsWith(uuid.slice(0, -1))
          : gpu.uuid === uuid
      );
      return known.length === 1 ? known[0].index : null;
    });
    return numbers.includes(null) ? found : `GPU ${numbers.join(', ')}`;
  });
}
