import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

import CATALOGUE from '../../../jupyter_training/locale/zh_CN/LC_MESSAGES/jupyter_training.json';
import SCHEMA from '../../schema/plugin.json';
import { translatedSchema } from '../model/schema';

const chinese = {
  pgettext: (context: string, text: string) =>
    (CATALOGUE as unknown as Record<string, [string]>)[
      `${context}\u0004${text}`
    ][0]
} as unknown as TranslationBundle;

test('the settings are in the language of the interface', () => {
  const schema = SCHEMA as unknown as ISettingRegistry.ISchema;
  // Else it is not asked for.
  expect(schema['jupyter.lab.transform']).toBe(true);
  const translated = translatedSchema(schema, chinese);
  expect(translated.title).toBe('训练任务');
  const told = JSON.stringify([
    translated.title,
    translated.description,
    translated['jupyter.lab.setting-icon-label'],
    translated.properties
  ]);
  for (const text of ['title', 'description']) {
    expect(told).not.toMatch(new RegExp(`"${text}":"[A-Za-z ,]+"`));
  }
  const { notifications } = translated.properties!;
  expect(notifications).toMatchObject({ type: 'string', default: 'all' });
  expect(notifications.oneOf).toHaveLength(3);
  // What else there is stays as it is.
  expect(translated['jupyter.lab.menus']).toBe(schema['jupyter.lab.menus']);
});
