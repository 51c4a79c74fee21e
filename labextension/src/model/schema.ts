/**
 * The schema of the settings in the user's language. JupyterLab's server translates only what a
 * language pack brings, and not what a package brings itself.
 */
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

type Schema = ISettingRegistry.ISchema;

const ICON_LABEL = 'jupyter.lab.setting-icon-label';

/** The words of a schema, each in the context in which JupyterLab would look for it. */
export function translatedSchema(
  schema: Schema,
  trans: TranslationBundle
): Schema {
  const word = (context: string, text: string | undefined): string =>
    // They are literals of the schema.
    // eslint-disable-next-line jupyter/no-dynamic-translation
    text ? trans.pgettext(context, text) : '';
  const properties = Object.entries(schema.properties ?? {}).map(
    ([key, { oneOf, ...property }]) => [
      key,
      {
        ...property,
        title: word('settings', property.title),
        description: word('settings', property.description),
        ...(Array.isArray(oneOf)
          ? {
              oneOf: (oneOf as { title: string }[]).map(one => ({
                ...one,
                title: word('settings', one.title)
              }))
            }
          : {})
      }
    ]
  );
  return {
    ...schema,
    title: word('schema', schema.title),
    description: word('schema', schema.description),
    [ICON_LABEL]: word('settings', schema[ICON_LABEL] as string),
    properties: Object.fromEntries(properties)
  };
}
