/**
 * What is wrong, in the user's language.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiError } from './errors';
import { worded } from './sentences';

/** What to say of a request that was not answered as it should be. */
export function troubleText(error: ApiError, trans: TranslationBundle): string {
  switch (error.trouble) {
    case 'away':
      // What the browser says of it is of no use to anybody, and in another language.
      return trans.__('The server does not answer');
    case 'absent':
      return trans.__('The server part of jupyter-training is not running');
    default:
      return worded(error.message, trans);
  }
}
