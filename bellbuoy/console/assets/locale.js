// A browser may call its language what is no language tag ("en-US@posix"); formatters then refuse it.
'use strict'
;(() => {
  try {
    Intl.getCanonicalLocales(navigator.language)
  } catch {
    Object.defineProperty(navigator, 'language', {value: 'en', configurable: true})
  }
})()
