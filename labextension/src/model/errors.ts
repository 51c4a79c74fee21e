/**
 * What the server refuses.
 */
/** What is wrong, as far as the person in front of it can do something. */
export type Trouble =
  /** The server part is not installed or not enabled. */
  | 'absent'
  /** The server cannot be reached. */
  | 'away'
  /** Not logged in, or not allowed. */
  | 'forbidden'
  /** It says that it can't at the moment. */
  | 'unavailable'
  /** Anything else; the message tells. */
  | 'refused';

export class ApiError extends Error {
  constructor(
    readonly trouble: Trouble,
    message: string,
    readonly status = 0,
    readonly errors: readonly { field: string; message: string }[] = []
  ) {
    super(message);
  }
}
