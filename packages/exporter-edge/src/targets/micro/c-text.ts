/** Foreign text as a C string: what is not plain ASCII, quotes, backslashes and question marks (trigraphs) become octal escapes of its UTF-8 bytes. */
export const cString = (text: string): string => `"${Array.from(new TextEncoder().encode(text), (byte) => (byte >= 0x20 && byte < 0x7f && !'"\\?'.includes(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`)).join('')}"`;

/** Foreign text inside of a C comment: letters, digits and a few signs that neither end nor begin anything. */
export const cComment = (text: string): string => text.replaceAll(/[^A-Za-z0-9_.: -]+/g, '_').slice(0, 80);

/** A float32 exactly. */
export function cFloat(value: number): string {
  const single = Math.fround(value);
  if (!Number.isFinite(single)) throw new RangeError(`${value} is no number that C code can hold`);
  const digits = single === 0 ? '0.0' : String(Number(single.toPrecision(9)));
  return `${/[.e]/.test(digits) ? digits : `${digits}.0`}f`;
}

/** A table in lines of at most 120 characters. */
export function cTable(type: 'int8_t' | 'int32_t' | 'float', name: string, values: ArrayLike<number>, linkage: 'static const' | 'const' = 'static const'): string {
  const items = Array.from(values, (value) => (type === 'float' ? cFloat(value) : cInteger(value)));
  const lines: string[] = [];
  let line = '   ';
  for (const item of items) {
    if (line.length + item.length + 2 > 120) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${item},`;
  }
  return `${linkage} ${type} ${name}[${Math.max(1, items.length)}] = {\n${[...lines, items.length === 0 ? '    0' : line].join('\n')}\n};\n`;
}

/** −2147483648 is not a literal but a sum in C. */
export const cInteger = (value: number): string => (value === -(2 ** 31) ? '(-2147483647 - 1)' : String(value));
