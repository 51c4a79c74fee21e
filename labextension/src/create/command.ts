/**
 * Commands as they are typed.
 */

/** A word as it has to be written for a shell, and for the magics, to be one word. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replace(/'/g, `'"'"'`)}'`;
}

/** A command, be it one text or words. */
export function commandText(command: string | readonly string[] = ''): string {
  return typeof command === 'string' ? command : command.map(quoted).join(' ');
}
