import type { TranslationBundle } from '@jupyterlab/translation';

import CATALOGUE from '../../../jupyter_training/locale/zh_CN/LC_MESSAGES/jupyter_training.json';
import { worded } from '../model/sentences';
import { trans as english } from './helpers';
import SENTENCES from './sentences.json';

const chinese = {
  __: (text: string, ...values: unknown[]) =>
    english.__(
      (CATALOGUE as unknown as Record<string, [string]>)[text][0],
      ...values
    )
} as unknown as TranslationBundle;

test.each(Object.entries(SENTENCES))('%s', (sentence, translated) => {
  expect(worded(sentence, chinese)).toBe(translated);
  expect(worded(sentence, english)).toBe(sentence);
});

test('what is not known stays as it is, also within what is', () => {
  expect(worded('a sentence of tomorrow', chinese)).toBe(
    'a sentence of tomorrow'
  );
  expect(worded('could not be started: it is late', chinese)).toBe(
    '无法启动：it is late'
  );
});
