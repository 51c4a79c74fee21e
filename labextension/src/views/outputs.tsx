/**
 * What a job has left: to browse, to download and to open.
 */
import React, { useState } from 'react';

import { Button, useTraining } from '../components/context';
import { useFetched } from '../components/fetched';
import { outputPath, type TrainingApi } from '../model/api';
import { fullMoment, size } from '../model/times';
import type { IJob, IOutput, IOutputs } from '../model/types';

interface IPlace {
  name: string;
  /** Its path in URLs. */
  encoded: string;
}

export function OutputsTab(props: {
  job: IJob;
  version: unknown;
}): React.JSX.Element {
  const { trans, model, link, execute, locale } = useTraining();
  const { job } = props;
  const [places, setPlaces] = useState<IPlace[]>([]);
  const here = places.at(-1)?.encoded ?? '';
  /** How many pages of it are shown. */
  const [pages, setPages] = useState(1);
  const go = (to: IPlace[]): void => {
    setPlaces(to);
    setPages(1);
  };
  const { value: found, error } = useFetched(
    () => listing(model.api, job.job_id, here, pages),
    `${job.job_id} ${here}`,
    `${props.version} ${pages}`
  );
  const entries = found?.entries ?? null;
  const inBrowser = (path: string): string =>
    `${job.output_browser_path}/${path}`;

  return (
    <div className="jp-Training-outputs">
      <div className="jp-Training-tools">
        <nav aria-label={trans.__('Directory')} className="jp-Training-left">
          {[{ name: trans.__('Results'), encoded: '' }, ...places].map(
            (place, depth) => (
              <React.Fragment key={place.encoded}>
                {depth > 0 && ' / '}
                <button
                  type="button"
                  className="jp-Training-textButton"
                  onClick={() => go(places.slice(0, depth))}
                >
                  {place.name}
                </button>
              </React.Fragment>
            )
          )}
        </nav>
        {job.output_browser_path !== null && (
          <Button
            onClick={() =>
              execute('training:open-outputs', { job: job.job_id })
            }
          >
            {trans.__('Show in the file browser')}
          </Button>
        )}
      </div>
      {error && <p className="jp-Training-note">{error}</p>}
      {entries === null && !error && (
        <p className="jp-Training-note">{trans.__('Loading…')}</p>
      )}
      {entries?.length === 0 && (
        <p className="jp-Training-note">
          {trans.__(
            'Nothing here yet. What the job writes to the directory in %1 is kept here.',
            'JUPYTER_TRAINING_OUTPUT_DIR'
          )}
        </p>
      )}
      {entries !== null && entries.length > 0 && (
        <table className="jp-Training-table">
          <thead>
            <tr>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Size')}</th>
              <th scope="col">{trans.__('Changed')}</th>
              <th scope="col">{trans.__('Actions')}</th>
            </tr>
          </thead>
          <tbody>
            {entries.map(entry => (
              <tr key={entry.encoded_path}>
                <td>
                  {entry.type === 'directory' ? (
                    <button
                      type="button"
                      className="jp-Training-textButton"
                      onClick={() =>
                        go([
                          ...places,
                          { name: entry.name, encoded: entry.encoded_path }
                        ])
                      }
                    >
                      {entry.name}/
                    </button>
                  ) : (
                    entry.name
                  )}
                </td>
                <td>{entry.size === null ? '' : size(entry.size)}</td>
                <td>
                  {entry.modified_at && fullMoment(entry.modified_at, locale)}
                </td>
                <td>
                  {entry.type === 'file' && (
                    <>
                      <a
                        href={link(outputPath(job.job_id, entry.encoded_path))}
                        download={entry.name}
                        aria-label={trans.__('Download %1', entry.name)}
                      >
                        {trans.__('Download')}
                      </a>
                      {job.output_browser_path !== null && (
                        <button
                          type="button"
                          className="jp-Training-textButton"
                          aria-label={trans.__('Open %1', entry.name)}
                          onClick={() =>
                            execute('docmanager:open', {
                              path: inBrowser(entry.path)
                            })
                          }
                        >
                          {trans.__('Open')}
                        </button>
                      )}
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {found?.hasMore && (
        <Button onClick={() => setPages(pages + 1)}>
          {trans.__('Show more')}
        </Button>
      )}
    </div>
  );
}

/** So many pages of a directory of results. */
async function listing(
  api: TrainingApi,
  id: string,
  place: string,
  pages: number
): Promise<{ entries: IOutput[]; hasMore: boolean }> {
  const entries: IOutput[] = [];
  let after: string | null = '';
  for (let page = 0; page < pages && after !== null; page++) {
    const found: IOutputs = await api.outputs(id, place, after);
    entries.push(...found.entries);
    after = found.next;
  }
  return { entries, hasMore: after !== null };
}
