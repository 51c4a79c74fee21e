import { cleanup, render, type RenderResult } from '@testing-library/react';
import React from 'react';

import { TrainingProvider } from '../components/context';
import { training, type World } from './helpers';

/** Draw something that needs what is around it. */
export function shown(world: World, what: React.ReactNode): RenderResult {
  return render(
    <TrainingProvider value={training(world)}>{what}</TrainingProvider>
  );
}

/** In each test of a file time passes only as it says. */
export function holdTime(): void {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    cleanup();
    jest.useRealTimers();
  });
}
