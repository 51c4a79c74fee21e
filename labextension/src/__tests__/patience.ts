import { configure } from '@testing-library/react';

// What is awaited happens in a moment; how long that is on a busy machine is no property of the code.
configure({ asyncUtilTimeout: 60_000 });
