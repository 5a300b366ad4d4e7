/** Foreign text as HTML text, also between double quotes. */
export const escapeHtml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');

/**
 * What every page of a bundle may do: load its own files from its own folder, compile WebAssembly, and nothing else. Nothing inline,
 * nothing from elsewhere.
 */
export const contentSecurityPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";

export interface PageParts {
  readonly title: string;
  /** HTML. */
  readonly body: string;
  readonly styles: readonly string[];
  readonly scripts: readonly string[];
  readonly description?: string;
}

/** A page around its body; scripts are modules. */
export const htmlPage = ({ title, body, styles, scripts, description }: PageParts): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="icon.svg" type="image/svg+xml">
${description === undefined ? '' : `<meta name="description" content="${escapeHtml(description)}">\n`}<title>${escapeHtml(title)}</title>
${styles.map((path) => `<link rel="stylesheet" href="${escapeHtml(path)}">`).join('\n')}
</head>
<body>
${body}
${scripts.map((path) => `<script type="module" src="${escapeHtml(path)}"></script>`).join('\n')}
</body>
</html>
`;

/** A stool of a coppiced tree with its new shoots. */
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#2f5d34"/><g fill="none" stroke="#e9f2df" stroke-width="2.4" stroke-linecap="round"><path d="M16 25V8M12.5 25C12.5 18 11 14 8 10M19.500 25C19.500 18 21 14 24 10"/></g><rect x="9" y="23" width="14" height="4" rx="1.500" fill="#e9f2df"/></svg>
`;
