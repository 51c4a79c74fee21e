/**
 * What a job has left: to browse, to download and to open.
 */
import React, { useEffect, useState } from 'react';

import { Button, useTraining } from '../components/context';
import { type ApiError, outputPath } from '../model/api';
import { fullMoment, size } from '../model/times';
import type { IJob, IOutput } from '../model/types';

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
  const [entries, setEntries] = useState<IOutput[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState('');
  const here = places.at(-1)?.encoded ?? '';

  useEffect(() => {
    let isCurrent = true;
    model.api.outputs(job.job_id, here).then(
      page => {
        if (isCurrent) {
          setEntries(page.entries);
          setNext(page.next);
          setError('');
        }
      },
      (refused: ApiError) => isCurrent && setError(refused.message)
    );
    return () => {
      isCurrent = false;
    };
  }, [job.job_id, here, model, props.version]);

  const more = (): void => {
    model.api.outputs(job.job_id, here, next ?? '').then(
      page => {
        setEntries(known => [...(known ?? []), ...page.entries]);
        setNext(page.next);
      },
      (refused: ApiError) => setError(refused.message)
    );
  };
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
                  onClick={() => setPlaces(places.slice(0, depth))}
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
                        setPlaces([
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
      {next !== null && <Button onClick={more}>{trans.__('Show more')}</Button>}
    </div>
  );
}
