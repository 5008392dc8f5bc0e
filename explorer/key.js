// The API key lives in this browser tab alone: never in localStorage, and in the address bar only until it has been read.
const ITEM = 'dibs-explorer:key';

export const storedKey = () => sessionStorage.getItem(ITEM) ?? '';

export function storeKey(key) {
  if (key) sessionStorage.setItem(ITEM, key);
  else sessionStorage.removeItem(ITEM);
}

/** The key of a link that ends in #key=…, kept for this tab and taken out of the address bar; null where there is none. */
export function keyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key')?.trim();
  if (!key) return null;
  storeKey(key);
  history.replaceState(null, '', location.pathname + location.search);
  return key;
}
