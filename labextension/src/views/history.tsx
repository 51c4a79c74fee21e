/**
 * Everything that happened to a job.
 */
import React from 'react';

import { told, useTraining } from '../components/context';
import { StatusIcon } from '../components/icons';
import { fullMoment } from '../model/times';
import type { IHistoryEvent } from '../model/types';
import { actorWord, causeWord, eventWord, statusWord } from '../model/words';

/** Causes that the sentence tells, and nothing more than the state. */
const SAID = ['success', 'cancelled_by_user'];

export function HistoryTab(props: {
  history: readonly IHistoryEvent[];
}): React.JSX.Element {
  const training = useTraining();
  const { trans, locale } = training;
  return (
    <table className="jp-Training-table">
      <thead>
        <tr>
          <th scope="col">{trans.__('When')}</th>
          <th scope="col">{trans.__('Attempt')}</th>
          <th scope="col">{trans.__('What')}</th>
          <th scope="col">{trans.__('Why')}</th>
          <th scope="col">{trans.__('By')}</th>
        </tr>
      </thead>
      <tbody>
        {props.history.map(event => (
          <tr key={event.id}>
            <td>
              <time dateTime={event.at}>{fullMoment(event.at, locale)}</time>
            </td>
            <td>{event.attempt || ''}</td>
            <td className="jp-Training-what">
              {event.to_status !== null ? (
                <>
                  <StatusIcon status={event.to_status} />{' '}
                  {statusWord(event.to_status, trans)}
                </>
              ) : (
                eventWord(event.kind, trans)
              )}
            </td>
            <td>
              {[
                event.cause &&
                  !SAID.includes(event.cause) &&
                  causeWord(event.cause, trans),
                event.reason && told(event.reason, training)
              ]
                .filter(Boolean)
                .join(': ')}
            </td>
            <td className="jp-Training-what">
              {actorWord(event.actor, trans)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
