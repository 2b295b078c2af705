from earwitness.garbage import look_seldom

look_seldom()
