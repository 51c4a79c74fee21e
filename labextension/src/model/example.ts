/** The first job of somebody who has none. */
export const EXAMPLE = `%%train --name first-job
import time

for epoch in range(1, 21):
    time.sleep(1)
    print(f"Epoch {epoch}/20 - loss: {1 / epoch:.4f}")
`;
