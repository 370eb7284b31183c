// The console's own behaviour: live parts, acts by dialog and key, the chart. No state but the page's.
'use strict'
;(() => {
  const $ = (selector, of = document) => of.querySelector(selector)
  const $$ = (selector, of = document) => [...of.querySelectorAll(selector)]
  const live = $('#live'), toasts = $('#toasts'), dialog = $('#act'), help = $('#help')

  // Theme
  const root = document.documentElement
  const themed = localStorage.getItem('theme')
  if (themed) root.dataset.theme = themed
  function turnTheme() {
    const dark = getComputedStyle(root).colorScheme === 'dark' ||
      (!root.dataset.theme && matchMedia('(prefers-color-scheme: dark)').matches)
    root.dataset.theme = dark ? 'light' : 'dark'
    localStorage.setItem('theme', root.dataset.theme)
    drawChart()
  }

  // On a phone the bar of pages is wider than the screen.
  $('.top nav [aria-current]')?.scrollIntoView({inline: 'center', block: 'nearest'})

  // Paper is light, and narrower than the screen.
  const PAPER = 680
  let printing = false, themeOnScreen
  addEventListener('beforeprint', () => {
    printing = true
    themeOnScreen = root.dataset.theme
    root.dataset.theme = 'light'
    drawChart()
  })
  addEventListener('afterprint', () => {
    printing = false
    if (themeOnScreen) root.dataset.theme = themeOnScreen
    else delete root.dataset.theme
    drawChart()
  })

  // Live parts: the server sends the part anew whenever it looks different; it is morphed into the page.
  let source = null
  function setStatus(words, lost) {
    const status = $('#status')
    if (!status) return
    status.classList.toggle('lost', lost)
    const text = $('.live-words', status)
    if (text.textContent !== words) text.textContent = words
  }
  function connect() {
    if (!live || document.hidden) return
    source?.close()
    source = new EventSource(live.dataset.live)
    let away = null
    source.addEventListener('view', async event => {
      const scores = new Map($$('[data-row] .score b', live).map(one => [one.closest('[data-row]').id, one.textContent]))
      await htmx.swap({sourceElement: live, target: live, text: event.data, swap: 'innerMorph'})
      for (const one of $$('[data-row] .score b', live)) {
        const row = one.closest('[data-row]'), before = scores.get(row.id)
        if (before !== undefined && before !== one.textContent) {
          row.classList.remove('came')
          void row.offsetWidth
          row.classList.add('came')
        }
      }
      mark(selected)
      drawChart()
      // Before the first accounts were read, there was nothing to choose from.
      if ($('[data-filters]') && !$('#filters')) show(shown, false)
    })
    source.addEventListener('status', event => {
      const told = JSON.parse(event.data)
      away = told.away
      $('#stale').hidden = !away
      if (away) {
        const seen = told.seen_at ? ' You see what was read last, as of ' + new Date(told.seen_at).toLocaleTimeString() + '.' : ''
        $('#stale-words').textContent = "The serving sink doesn't answer." + seen
      }
      setStatus(away ? 'Not live' : 'Live', Boolean(away))
    })
    source.onerror = () => {
      setStatus('Reconnecting…', true)
      // A stream that was refused is not tried again by itself; it may be because the session is over.
      if (source.readyState === EventSource.CLOSED) {
        fetch(location.href).then(
          answer => answer.status === 401 ? location.reload() : setTimeout(connect, 3000),
          () => setTimeout(connect, 3000))
      }
    }
    source.onopen = () => setStatus(away ? 'Not live' : 'Live', Boolean(away))
  }
  document.addEventListener('visibilitychange', () => document.hidden ? source?.close() : connect())
  addEventListener('pagehide', () => source?.close())

  // Filters: the address is the state, so a change of a filter is another address.
  for (const form of $$('[data-filters]')) {
    let timer
    const go = () => {
      const said = new FormData(form), query = new URLSearchParams()
      for (const [name, value] of said) if (value && !(name === 'sort' && value === 'urgency') && !(name === 'view' && value === 'new')) query.set(name, value)
      show(form.getAttribute('action') + (query.size ? '?' + query : ''))
    }
    form.addEventListener('submit', event => { event.preventDefault(); clearTimeout(timer); go() })
    form.addEventListener('change', go)
    form.addEventListener('input', event => {
      if (event.target.type !== 'search') return
      clearTimeout(timer)
      timer = setTimeout(go, 200)
    })
  }
  let asked = 0, shown = location.pathname + location.search
  async function show(address, push = true) {
    const mine = ++asked
    const answer = await fetch(address, {headers: {Accept: 'text/html'}}).catch(() => null)
    const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), 'text/html') : null
    if (mine !== asked) return  // another was asked for since
    const fresh = page && $('#live', page)
    if (!fresh) { location.assign(address); return }
    if (push) history.pushState(null, '', address)
    shown = location.pathname + location.search
    live.dataset.live = fresh.dataset.live
    await htmx.swap({sourceElement: live, target: live, text: fresh.innerHTML, swap: 'innerMorph'})
    followFilters($('[data-filters]', page))
    selected = -1
    connect()
  }
  // The fields say what the address says, whichever way it came about; what is being typed stays.
  function followFilters(fresh) {
    const form = $('[data-filters]')
    if (!$('#filters', form)) form.append(...$$('.filters-open, #filters', fresh))
    for (const field of form.elements) {
      const other = field.name && fresh.elements[field.name]
      if (!other || (field.type === 'search' && field === document.activeElement)) continue
      if (field.type === 'checkbox') field.checked = other.checked
      else if (field.value !== other.value) field.value = other.value
    }
    const on = $('[data-filters-on]', fresh), clear = $('[data-clear]', form)
    if (!on || !clear) return
    $('[data-filters-on]', form).textContent = on.textContent
    clear.hidden = !on.textContent
    clear.href = $('[data-clear]', fresh).getAttribute('href')
  }
  addEventListener('popstate', () => {
    const address = location.pathname + location.search
    if (address !== shown) show(address, false)
  })
  document.addEventListener('click', event => {
    const link = event.target.closest('#live a.chip, #live .tabs a, #live .more a, #live .empty a, [data-clear]')
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || link.origin !== location.origin || link.pathname !== location.pathname) return
    event.preventDefault()
    show(link.getAttribute('href'))
  })

  // Saved views: names of addresses, in this browser alone
  const views = $('[data-views]'), place = 'views:' + location.pathname
  const saved = () => { try { return JSON.parse(localStorage.getItem(place)) ?? [] } catch { return [] } }
  function keepViews(list) {
    localStorage.setItem(place, JSON.stringify(list))
    listViews()
  }
  function listViews() {
    $('[data-none]', views).hidden = saved().length > 0
    $('ul', views).replaceChildren(...saved().map(({name, query}) => {
      const item = document.createElement('li'), link = document.createElement('a'), away = document.createElement('button')
      link.href = location.pathname + query
      link.textContent = name
      away.type = 'button'
      away.className = 'quiet'
      away.textContent = '×'
      away.setAttribute('aria-label', 'Forget ' + name)
      away.addEventListener('click', () => keepViews(saved().filter(one => one.name !== name)))
      item.append(link, away)
      return item
    }))
  }
  if (views) {
    views.hidden = false
    listViews()
    $('form', views).addEventListener('submit', event => {
      event.preventDefault()
      const field = event.target.elements.name, name = field.value.trim()
      if (!name) return
      keepViews([...saved().filter(one => one.name !== name), {name, query: location.search}])
      field.value = ''
    })
  }

  // Rows by keyboard
  let selected = -1
  const rows = () => $$('[data-row]', live ?? document)
  function mark(index) {
    const all = rows()
    selected = Math.max(-1, Math.min(index, all.length - 1))
    all.forEach((row, i) => row.classList.toggle('at', i === selected))
    return all[selected]
  }
  function step(by) {
    const row = mark(Math.max(0, selected + by))
    row?.scrollIntoView({block: 'nearest'})
    ;(row && ($('[data-open]', row) ?? $('button', row)))?.focus({preventScroll: true})
  }
  const current = () => rows()[selected]?.dataset.alert ? rows()[selected] : rows().length === 1 && rows()[0].dataset.alert ? rows()[0] : null

  // Acts
  const TITLES = {
    acknowledged: ['Acknowledge with a note', 'Acknowledge'], snoozed: ['Snooze', 'Snooze'],
    assigned: ['Give it to somebody', 'Assign'], dismissed: ['Dismiss', 'Dismiss'], resolved: ['Resolve', 'Resolve'],
  }
  const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('')
  function ask(row, kind) {
    const form = $('[data-act-form]', dialog)
    form.reset()
    form.setAttribute('hx-post', row.dataset.path)
    form.kind.value = kind
    form.action_id.value = newId()
    $('#act-title').textContent = TITLES[kind][0]
    $('#act-about').textContent = row.dataset.title
    $('[data-submit]', form).textContent = TITLES[kind][1]
    for (const part of $$('[data-for]', form)) {
      part.hidden = part.disabled = !part.dataset.for.split(' ').includes(kind)
    }
    dialog.showModal()
  }
  function act(row, kind, withNote) {
    if (kind !== 'acknowledged' || withNote) { ask(row, kind); return }
    send(row.dataset.path, {kind, action_id: newId()}, $('[data-act="acknowledged"]', row))
  }
  async function send(path, values, button) {
    if (button) button.disabled = true
    try {
      await post(path, values)
    } finally {
      if (button) button.disabled = false
    }
  }
  async function post(path, values) {
    const body = new URLSearchParams({...values, token: document.body.dataset.token})
    const answer = await fetch(path, {method: 'POST', body}).catch(() => null)
    if (answer?.status === 401) { location.reload(); return false }
    const text = answer ? await answer.text() : ''
    if (text.includes('data-toast')) {
      await htmx.swap({sourceElement: toasts, target: toasts, text, swap: 'innerHTML'})
    } else {
      failed(path, values)
    }
    closeToast()
    return Boolean(answer?.ok)
  }
  function failed(path, values) {
    const toast = document.createElement('div')
    toast.className = 'toast bad'
    toast.setAttribute('role', 'alert')
    toast.dataset.toast = 'bad'
    const words = document.createElement('p')
    words.textContent = "Nothing is known to be recorded: the console doesn't answer."
    const again = document.createElement('button')
    again.textContent = 'Try again'
    again.addEventListener('click', () => post(path, values))
    toast.append(words, again)
    toasts.replaceChildren(toast)
  }
  function closeToast() {
    const toast = $('[data-toast="ok"]', toasts)
    if (toast) setTimeout(() => toast.remove(), 6000)
  }
  document.addEventListener('submit', async event => {
    const form = event.target.closest('[data-act-form], [data-reset], .toast form')
    if (!form) return
    event.preventDefault()
    event.stopImmediatePropagation()
    const button = $('button:not([type="button"])', form)
    button.disabled = true
    if (form.matches('[data-once]') && !form.action_id.value) form.action_id.value = newId()
    const values = Object.fromEntries(new FormData(form))
    const done = await post(form.getAttribute('hx-post'), values).finally(() => { button.disabled = false })
    if (done && form.closest('dialog')) form.closest('dialog').close()
    if (done && form.matches('[data-refresh]')) htmx.trigger($('#report'), 'refresh')
    if (done && form.matches('[data-trial]')) { htmx.trigger($('#trial'), 'trial'); return }
    if (done && form.matches('[data-reset]')) { form.reset(); if (form.action_id) form.action_id.value = '' }
  }, true)
  document.addEventListener('click', event => {
    const button = event.target.closest('button')
    if (!button) return
    const row = button.closest('[data-alert]')
    if (button.dataset.act && row) act(row, button.dataset.act)
    else if (button.dataset.dialog) document.getElementById(button.dataset.dialog)?.showModal()
    else if (button.dataset.task) {
      send(button.dataset.path, {task_id: button.dataset.task, kind: button.dataset.kind, action_id: newId()}, button)
    }
    else if (button.dataset.withdraw) {
      send($('.override form').getAttribute('hx-post'), {target: button.dataset.withdraw, withdraw: '1'}, button)
    }
    else if (button.dataset.do === 'close-dialog') button.closest('dialog').close()
    else if (button.dataset.do === 'close-toast') button.closest('[data-toast]').remove()
    else if (button.dataset.do === 'theme') turnTheme()
    else if (button.dataset.do === 'help') help.showModal()
    else if (button.dataset.do === 'again') htmx.trigger(button.closest('[hx-trigger*="refresh"]'), 'refresh')
  })

  // A part that can't be had says so; where the session is over, the page leads to the sign-in.
  document.addEventListener('htmx:before:response', event => {
    if (event.detail.ctx.response.status !== 401) return
    event.preventDefault()
    location.reload()
  })
  document.addEventListener('htmx:error', event => {
    const target = event.detail.ctx?.target, box = typeof target === 'string' ? $(target) : target
    if (!box) return
    const trouble = document.createElement('div'), words = document.createElement('p')
    trouble.className = 'empty'
    words.setAttribute('role', 'alert')
    words.textContent = "The console doesn't answer."
    trouble.append(words)
    if (event.target.matches('[hx-trigger*="refresh"]')) {
      const again = document.createElement('button')
      again.type = 'button'
      again.dataset.do = 'again'
      again.textContent = 'Try again'
      trouble.append(again)
    }
    box.replaceChildren(trouble)
  })

  // A trial that runs is asked for again, by an event of its own: "refresh" would reach the page around it.
  setInterval(() => { if ($('[data-running]')) htmx.trigger($('#trial'), 'trial') }, 1500)

  // On a phone a row of a table is a card, and each cell says under which heading it stands.
  function labelCells() {
    for (const table of $$('main table:not(.weeks)')) {
      const names = $$('thead th', table).map(one => one.textContent)
      for (const row of $$('tbody tr', table)) {
        if (row.cells.length !== names.length) continue
        for (const cell of $$('td', row)) {
          if (cell.dataset.label !== names[cell.cellIndex]) cell.dataset.label = names[cell.cellIndex]
        }
      }
    }
  }
  new MutationObserver(labelCells).observe($('main'), {childList: true, subtree: true, attributeFilter: ['data-label']})
  labelCells()

  // Keys
  document.addEventListener('keydown', event => {
    if (event.metaKey || event.ctrlKey || event.altKey || $('dialog[open]')) return
    // Of a dialog that was closed a moment ago, a field may still have the focus.
    if (event.target.closest('input, select, textarea') && !event.target.closest('dialog:not([open])')) {
      if (event.key === 'Escape') event.target.blur()
      return
    }
    const pages = $$('.top nav a')
    const acts = {a: 'acknowledged', s: 'snoozed', g: 'assigned', x: 'dismissed', r: 'resolved', n: 'acknowledged'}
    if (event.key === 'j' || event.key === 'k') step(event.key === 'j' ? 1 : -1)
    else if (event.key === '/') $('[data-search]')?.focus()
    else if (event.key === '?') help?.showModal()
    else if (event.key === 't') turnTheme()
    else if (event.key === 'w' && $('#note')) $('#note').showModal()
    else if (event.key === 'd' && $('#task')) $('#task').showModal()
    else if (pages[event.key - 1]) location.assign(pages[event.key - 1].href)
    else if (acts[event.key] && current()) act(current(), acts[event.key], event.key === 'n')
    else return
    event.preventDefault()
  })

  // The time scrubber says the time that it stands at.
  document.addEventListener('input', event => {
    if (!event.target.matches('[data-scrub]')) return
    const at = new Date(Number(event.target.value))
    $('#scrub-words').textContent = at.toLocaleString('en-GB', {
      timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit'}) + ' UTC'
  })

  // The chart
  let chart = null, drawn = ''
  function drawChart() {
    const box = $('#chart')
    if (!box || typeof uPlot === 'undefined') return
    const color = name => {
      const probe = document.createElement('i')
      probe.style.color = 'var(' + name + ')'
      box.append(probe)
      const found = getComputedStyle(probe).color
      probe.remove()
      return found
    }
    const more = $('[data-more-marks]')
    const marks = JSON.parse(more?.dataset.moreMarks ?? '[]')
    const open = JSON.parse(box.dataset.spans || '[]')
    // Those that have ended are known once everything that happened is shown; what is open now is newer there.
    const spans = [...open, ...JSON.parse(more?.dataset.allSpans ?? '[]').filter(([, end]) => end !== null)]
    const width = printing ? PAPER : box.clientWidth
    const key = box.dataset.series + root.dataset.theme + width + marks.length + JSON.stringify(spans)
    if (chart && drawn === key && box.contains(chart.root)) return
    drawn = key
    chart?.destroy()
    const [at, scores] = JSON.parse(box.dataset.series)
    at.push(Math.max(at[at.length - 1], Number($('[data-scrub]')?.max ?? 0) / 1000))
    scores.push(scores[scores.length - 1])
    const soft = color('--soft'), line = color('--line'), accent = color('--accent')
    const severities = {critical: color('--critical'), warning: color('--at-risk'), notice: accent}
    const day = seconds => new Date(seconds * 1000).toLocaleDateString('en-GB', {timeZone: 'UTC', day: 'numeric', month: 'short'})
    const time = seconds => new Date(seconds * 1000).toISOString().slice(11, 16)
    const named = (_, ticks) => {
      const days = ticks.length > 1 && ticks[1] - ticks[0] >= 86400
      return ticks.map((tick, i) => days ? day(tick) : i === 0 || tick % 86400 === 0 ? day(tick) + '\n' + time(tick) : time(tick))
    }
    const axis = {stroke: soft, grid: {stroke: line, width: 1}, ticks: {show: false}, font: '12px Inter, sans-serif'}
    chart = new uPlot({
      width, height: 220, cursor: {y: false}, legend: {show: false}, tzDate: ts => uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC'),
      scales: {y: {range: [0, 100]}},
      axes: [{...axis, size: 40, values: named}, {...axis, size: 34, values: (_, ticks) => ticks.map(String)}],
      series: [{}, {label: 'Score', stroke: accent, width: 2, fill: accent.replace(')', ' / 0.08)'), paths: uPlot.paths.stepped({align: 1}), points: {show: at.length < 40, size: 5}}],
      hooks: {
        drawClear: [u => {
          const {ctx, bbox} = u, height = 3 * devicePixelRatio
          ctx.save()
          for (const [from, to, severity] of spans) {
            const x = Math.max(bbox.left, u.valToPos(from, 'x', true))
            const end = Math.min(bbox.left + bbox.width, to === null ? Infinity : u.valToPos(to, 'x', true))
            if (end <= bbox.left || x >= bbox.left + bbox.width) continue
            const width = Math.max(end - x, devicePixelRatio)
            ctx.fillStyle = severities[severity] ?? soft
            ctx.globalAlpha = .09
            ctx.fillRect(x, bbox.top, width, bbox.height)
            ctx.globalAlpha = .9
            ctx.fillRect(x, bbox.top, width, height)
          }
          ctx.restore()
        }],
        draw: [u => {
          const {ctx, bbox} = u
          ctx.save()
          for (const [when] of marks) {
            const x = u.valToPos(when, 'x', true)
            if (x < bbox.left || x > bbox.left + bbox.width) continue
            ctx.fillStyle = soft
            ctx.globalAlpha = 0.55
            const size = 4 * devicePixelRatio, base = bbox.top + bbox.height
            ctx.beginPath()
            ctx.moveTo(x - size, base)
            ctx.lineTo(x + size, base)
            ctx.lineTo(x, base - 2 * size)
            ctx.fill()
          }
          ctx.restore()
        }],
        setCursor: [u => {
          const i = u.cursor.idx
          const near = marks.filter(mark => Math.abs(u.valToPos(mark[0], 'x') - u.cursor.left) < 5).slice(0, 4)
          box.title = i == null ? '' : [
            scores[i] + ' on ' + new Date(at[i] * 1000).toISOString().slice(0, 16).replace('T', ' '),
            ...spans.filter(([from, to]) => from <= at[i] && (to === null || at[i] <= to)).map(span => 'Alert: ' + span[3]),
            ...near.map(([when, , what]) => new Date(when * 1000).toISOString().slice(0, 10) + ': ' + what),
          ].join('\n')
        }],
      },
    }, [at, scores], box)
  }
  new MutationObserver(drawChart).observe($('#timeline') ?? document.createElement('i'), {childList: true})
  addEventListener('resize', drawChart)
  addEventListener('DOMContentLoaded', () => { drawChart(); connect() })
})()
