/**
 * Words the sentences of the server for monitors in cells, which know the words of the interface but
 * not the rules by which a sentence is understood.
 */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

// eslint-disable-next-line jupyter/prefer-lazy-imports -- who asks is answered at once
import { worded } from '../model/sentences';
import { IEnvironment } from './environment';

/** The event by which `presence.js` asks. */
const ASKS = 'jupyter-training:words';

interface IQuestion {
  sentences: readonly string[];
  /** The answer: each of them in the user's language. */
  words?: Record<string, string>;
}

export const sentencesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-training:sentences',
  description: 'Words what the server says for monitors in cells.',
  autoStart: true,
  requires: [IEnvironment],
  activate: (_: JupyterFrontEnd, environment: IEnvironment): void => {
    document.addEventListener(ASKS, event => {
      const question = (event as CustomEvent<IQuestion>).detail;
      question.words = Object.fromEntries(
        question.sentences.map(one => [one, worded(one, environment.trans)])
      );
    });
  }
};
