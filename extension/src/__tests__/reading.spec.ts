import { ApiError, Reading } from '../api';
import { repeated } from '../components/repeated';

const away = new ApiError(503, 'tracking_unreachable', 'MLflow does not answer.');
const refused = new ApiError(404, 'not_found', 'There is no run a.');

describe('A reading', () => {
  let answers: (string | ApiError)[];
  let asked: number;
  const took: string[] = [];
  const told: string[] = [];
  let reading: Reading<string>;

  beforeEach(() => {
    jest.useFakeTimers();
    answers = [];
    asked = took.length = told.length = 0;
    reading = new Reading(
      async () => {
        asked++;
        const answer = answers.shift() ?? 'answer';
        if (answer instanceof ApiError) {
          throw answer;
        }
        return answer;
      },
      answer => took.push(answer),
      error => told.push(error.code)
    );
  });

  afterEach(() => {
    reading.dispose();
    jest.useRealTimers();
  });

  it('is repeated by itself until something answers', async () => {
    answers = [away, away, 'there'];
    await reading.now();
    expect(told).toEqual(['tracking_unreachable']);
    await jest.runAllTimersAsync();
    expect([told.length, took]).toEqual([2, ['there']]);
    expect(asked).toBe(3);
  });

  it('is not repeated when it was refused', async () => {
    answers = [refused];
    await reading.now();
    await jest.runAllTimersAsync();
    expect([asked, told, took]).toEqual([1, ['not_found'], []]);
  });

  it('that is asked for while it is under way is done once more', async () => {
    answers = ['before', 'after'];
    const first = reading.now();
    void reading.now();
    void reading.now();
    await first;
    expect(took).toEqual(['before', 'after']);
  });

  it('is planned once', async () => {
    reading.later(100);
    reading.later(50);
    await jest.runAllTimersAsync();
    expect(asked).toBe(1);
  });

  it('says nothing once it was given up', async () => {
    answers = [away];
    const first = reading.now();
    reading.dispose();
    await first;
    await jest.runAllTimersAsync();
    expect([asked, told, took]).toEqual([1, [], []]);
  });
});

describe('what is done over and over', () => {
  it('goes on until it says that it is over, or nobody looks', async () => {
    jest.useFakeTimers();
    const seen: boolean[] = [];
    let more = true;
    const stop = repeated(async isLeft => {
      seen.push(isLeft());
      return more;
    }, 100);
    await jest.advanceTimersByTimeAsync(250);
    expect(seen).toEqual([false, false, false]);
    stop();
    await jest.advanceTimersByTimeAsync(500);
    expect(seen).toHaveLength(3);
    more = false;
    repeated(async () => seen.push(true) > 0 && more, 100);
    await jest.advanceTimersByTimeAsync(500);
    expect(seen).toHaveLength(4);
    jest.useRealTimers();
  });
});
