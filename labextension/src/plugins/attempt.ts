/**
 * What a command does, with what becomes of it told.
 */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ApiError } from '../model/errors';

/** Do something, and tell if the server did not let it be done. */
export async function attempt(
  trans: TranslationBundle,
  action: () => Promise<void>
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    const { troubleText } = await import('../model/troubles');
    Notification.error(troubleText(error, trans), { autoClose: 10_000 });
  }
}
