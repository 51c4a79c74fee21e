/**
 * What a job runs, and with which software it was submitted.
 */
import React, { useState } from 'react';

import { useTraining } from '../components/context';
import { useFetched } from '../components/fetched';
import { contentPath } from '../model/api';
import { size } from '../model/times';
import type { ICode, IJob, ISoftware } from '../model/types';

const SHOWN_FILES = 200;
const SHOWN_BYTES = 1 << 20;

export function CodeTab({ job }: { job: IJob }): React.JSX.Element {
  const { trans, model } = useTraining();
  const { value: code, error } = useFetched(
    () => model.api.code(job.job_id),
    job.job_id,
    null
  );
  const { value: software } = useFetched(
    () => model.api.software(job.job_id),
    job.job_id,
    null
  );
  const facts: [string, string | null][] = [
    [trans.__('Description'), job.description],
    [trans.__('Working directory'), job.working_dir],
    [trans.__('Image'), job.image],
    [trans.__('Executor'), job.executor],
    [trans.__('Results'), job.output_dir]
  ];
  const variables = Object.entries(job.env_vars);
  return (
    <div className="jp-Training-code">
      {job.command && <Text title={trans.__('Command')} text={job.command} />}
      <Facts facts={facts} />
      {variables.length > 0 && (
        <Text
          title={trans.__('Environment variables')}
          text={variables.map(([name, value]) => `${name}=${value}`).join('\n')}
        />
      )}
      {error && <p className="jp-Training-note">{error}</p>}
      {code?.script && (
        <Text title={code.script.name} text={code.script.text} />
      )}
      {code && <Files code={code} />}
      {software && <Software software={software} />}
    </div>
  );
}

function Text({
  title,
  text
}: {
  title: string;
  text: string;
}): React.JSX.Element {
  return (
    <>
      <h3>{title}</h3>
      <pre role="region" tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </>
  );
}

function Facts(props: {
  facts: readonly [string, React.ReactNode][];
}): React.JSX.Element {
  return (
    <dl className="jp-Training-facts">
      {props.facts
        .filter(([, value]) => value)
        .map(([label, value]) => (
          <div
            key={label}
            className={isLong(value) ? 'jp-mod-wide' : undefined}
          >
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** Whether it would be broken where it has a place beside others. */
function isLong(value: React.ReactNode): boolean {
  return typeof value === 'string' && value.length > 32;
}

type File = NonNullable<ICode['manifest']>['files'][number];

/** The files as they were when the job was submitted. */
function Files({ code }: { code: ICode }): React.JSX.Element | null {
  const { trans, link } = useTraining();
  const [filter, setFilter] = useState('');
  const [open, setOpen] = useState<File | null>(null);
  const { manifest } = code;
  if (manifest === null) {
    return code.working_dir === null ? null : (
      <p className="jp-Training-note">
        {trans.__(
          'It was submitted without a snapshot and runs in its directory as that is at the time.'
        )}
      </p>
    );
  }
  const words = filter.toLowerCase();
  const found = manifest.files.filter(file =>
    file.path.toLowerCase().includes(words)
  );
  const total = manifest.files.reduce((sum, file) => sum + file.size, 0);
  return (
    <section aria-label={trans.__('Files')}>
      <h3>{trans.__('Files')}</h3>
      <div className="jp-Training-tools">
        <span className="jp-Training-left jp-Training-second">
          {trans.__(
            '%1 files, %2, as %3 was when it was submitted',
            manifest.files.length,
            size(total),
            manifest.root
          )}
        </span>
        {manifest.files.length > 10 && (
          <input
            type="search"
            className="jp-mod-styled jp-Training-fileFilter"
            placeholder={trans.__('Filter files')}
            aria-label={trans.__('Filter files')}
            value={filter}
            onChange={event => setFilter(event.target.value)}
          />
        )}
      </div>
      <div className="jp-Training-files">
        <table className="jp-Training-table" aria-label={trans.__('Files')}>
          <tbody>
            {found.slice(0, SHOWN_FILES).map(file => (
              <tr key={file.path}>
                <td>
                  <button
                    type="button"
                    className="jp-Training-textButton"
                    aria-expanded={open?.path === file.path}
                    onClick={() =>
                      setOpen(open?.path === file.path ? null : file)
                    }
                  >
                    {file.path}
                  </button>
                </td>
                <td>{size(file.size)}</td>
                <td>
                  <a
                    href={link(
                      contentPath(file.sha256, file.path.split('/').at(-1))
                    )}
                    download
                    aria-label={trans.__('Download %1', file.path)}
                  >
                    {trans.__('Download')}
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.length > SHOWN_FILES && (
        <p className="jp-Training-note">
          {trans.__('… and %1 more', found.length - SHOWN_FILES)}
        </p>
      )}
      {open && <Content key={open.path} file={open} />}
      {(manifest.links?.length ?? 0) > 0 && (
        <p className="jp-Training-note">
          {trans.__(
            'Not a part of it, and read where it is: %1',
            manifest.links!.join(', ')
          )}
        </p>
      )}
    </section>
  );
}

function Content({ file }: { file: File }): React.JSX.Element {
  const { trans, model } = useTraining();
  const isSmall = file.size <= SHOWN_BYTES;
  const { value: text, error } = useFetched(
    async () =>
      isSmall ? textOf(await model.api.content(file.sha256)) : NOT_SHOWN,
    file.sha256,
    null
  );
  if (text === NOT_SHOWN) {
    return (
      <p className="jp-Training-note">
        {isSmall
          ? trans.__('%1 is no text. Download it to see it.', file.path)
          : trans.__(
              '%1 is too large to be shown. Download it to see it.',
              file.path
            )}
      </p>
    );
  }
  return text === null ? (
    <p className="jp-Training-note">{error || trans.__('Loading…')}</p>
  ) : (
    <Text title={file.path} text={text} />
  );
}

const NOT_SHOWN = Symbol('what cannot be shown');

/** A content as text, if it is one. */
function textOf(content: ArrayBuffer): string | typeof NOT_SHOWN {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(content);
    return text.includes('\0') ? NOT_SHOWN : text;
  } catch {
    return NOT_SHOWN;
  }
}

function Software({
  software
}: {
  software: ISoftware;
}): React.JSX.Element | null {
  const { trans } = useTraining();
  const { git, image, packages, platform, python } = software;
  const listed = Object.entries(packages ?? {});
  if (!Object.keys(software).length) {
    return null;
  }
  const state = (): string | null => {
    if (!git) {
      return null;
    }
    const at = [git.commit.slice(0, 12), git.branch]
      .filter(Boolean)
      .join(' · ');
    return git.dirty
      ? trans.__('%1, with %2 changes', at, git.changes.length)
      : trans.__('%1, without changes', at);
  };
  return (
    <section aria-label={trans.__('Software')}>
      <h3>{trans.__('Software when it was submitted')}</h3>
      <Facts
        facts={[
          [trans.__('Image'), image],
          [
            trans.__('Python'),
            python && `${python.implementation} ${python.version}`
          ],
          [trans.__('Interpreter'), python?.executable],
          [trans.__('System'), platform],
          [trans.__('Git'), state()],
          [trans.__('Origin'), git?.remote]
        ]}
      />
      {git?.dirty && (
        <Text
          title={trans.__('What was changed since the commit')}
          text={git.changes.join('\n')}
        />
      )}
      {listed.length > 0 && (
        <details className="jp-Training-packages">
          <summary>{trans.__('%1 packages', listed.length)}</summary>
          <pre role="region" tabIndex={0} aria-label={trans.__('Packages')}>
            {listed.map(([name, version]) => `${name}==${version}`).join('\n')}
          </pre>
        </details>
      )}
    </section>
  );
}
