import { InvalidArgumentError } from 'commander';
import type { NamedFile } from './input-files.ts';

/** How the words of a command line become values. Each throws commander's `InvalidArgumentError`. */

/** A whole number from `least`. */
export const wholeNumber = (least: number) => (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
  return value;
};

/** `0.5` or `50%`. */
export function share(text: string): number {
  const value = /^\d*\.?\d+(e-?\d+)?%?$/i.test(text) ? (text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text)) : NaN;
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('It must be a share to keep, over 0 and up to 1, e.g. 0.5 or 50%.');
  return value;
}

/** `0.6,0.35,0.2`. */
export const shares = (text: string): number[] => text.split(',').map((part) => share(part.trim()));

/** A number over 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value < Infinity)) throw new InvalidArgumentError('It must be a number over 0.');
  return value;
}

/** Collects a repeated option. */
export const repeated = (text: string, before: readonly string[] = []): string[] => [...before, text];

/** Collects `GLOB=share`. */
export function groupShare(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [glob, value] = splitLast(text, 'conv*=0.5');
  return { ...before, [glob]: share(value) };
}

/** Collects `name=n`. */
export function dimension(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [name, value] = splitLast(text, 'time=100');
  return { ...before, [name]: wholeNumber(1)(value) };
}

/** Collects `name=file.npy`, or a file alone. */
export function namedFile(text: string, before: readonly NamedFile[] = []): NamedFile[] {
  const at = text.indexOf('=');
  const file = at > 0 ? { name: text.slice(0, at), path: text.slice(at + 1) } : { path: text };
  if (file.path === '') throw new InvalidArgumentError('It must be a file, or name=file.npy.');
  return [...before, file];
}

/** `32,32`. */
export const wholeNumbers = (text: string): number[] => text.split(',').map((part) => wholeNumber(1)(part.trim()));

function splitLast(text: string, example: string): [string, string] {
  const at = text.lastIndexOf('=');
  if (at <= 0) throw new InvalidArgumentError(`It must look like ${example}.`);
  return [text.slice(0, at), text.slice(at + 1)];
}
