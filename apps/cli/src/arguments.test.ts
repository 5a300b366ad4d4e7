import { describe, expect, it } from 'vitest';
import { dimension, groupShare, namedFile, share, wholeNumber, wholeNumbers } from './arguments.ts';

describe('words of a command line', () => {
  it('takes shares as fractions or percentages', () => {
    expect([share('0.5'), share('.5'), share('50%'), share('1')]).toEqual([0.5, 0.5, 0.5, 1]);
  });

  it.each(['0', '1.1', '150%', '-0.5', '', 'half', '0.5x', 'NaN'])('refuses the share %j', (text) => {
    expect(() => share(text)).toThrow('share to keep');
  });

  it.each(['-1', '1.5', '', 'x', '1e3', '99999999999999999999'])('refuses the whole number %j', (text) => {
    expect(() => wholeNumber(0)(text)).toThrow('whole number');
  });

  it('collects repeated options', () => {
    expect(groupShare('b=50%', groupShare('a*=0.25'))).toEqual({ 'a*': 0.25, b: 0.5 });
    expect(dimension('x:1=7', { time: 3 })).toEqual({ time: 3, 'x:1': 7 });
    expect(namedFile('x=a.npy', namedFile('b.npy'))).toEqual([{ path: 'b.npy' }, { name: 'x', path: 'a.npy' }]);
    expect(wholeNumbers('32, 64')).toEqual([32, 64]);
  });

  it.each([() => groupShare('conv'), () => dimension('time='), () => namedFile('x=')])('refuses halves of a pair', (parse) => {
    expect(parse).toThrow();
  });
});
