const charactersMax = 500

/**
 * Where to go after a sign-in: a path of the console itself, whatever was asked for. Browsers read `//host` and `/\host` as
 * addresses of another host, and pass over tabs and line ends in them.
 */
export function localPath(asked: string | undefined): string {
  if (asked === undefined || asked.length > charactersMax || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(asked))
    return '/'
  const here = 'http://here.invalid'
  const url = new URL(asked, here)
  return url.origin === here && !url.pathname.startsWith('//') ? url.pathname + url.search : '/'
}
