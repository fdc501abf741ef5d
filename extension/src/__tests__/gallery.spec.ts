import { freeName } from '../gallery/names';

describe('gallery', () => {
  it('writes over nothing', () => {
    expect(freeName('train.ipynb', new Set())).toBe('train.ipynb');
    expect(freeName('train.ipynb', new Set(['train.ipynb', 'train-1.ipynb']))).toBe(
      'train-2.ipynb'
    );
  });
});
