"""The addresses of people and organizations. `home` stands outside the name space: libraries know it by that name."""

from django.urls import include, path

from orgs.views import account, home, keys, members, teams

pages = [
    path("account", account.account, name="account"),
    path("teams/new", teams.new_team, name="new_team"),
    path("o/<slug:slug>/more", home.more, name="more"),
    path("o/<slug:slug>/settings", teams.settings, name="settings"),
    path("o/<slug:slug>/settings/name", teams.rename, name="rename"),
    path("o/<slug:slug>/members", members.members, name="members"),
    path("o/<slug:slug>/members/<int:pk>/role", members.change_role, name="change_role"),
    path("o/<slug:slug>/members/<int:pk>/remove", members.remove, name="remove_member"),
    path("o/<slug:slug>/leave", members.leave, name="leave"),
    path("o/<slug:slug>/keys", keys.list_keys, name="keys"),
    path("o/<slug:slug>/keys/new", keys.new_key, name="new_key"),
    path("o/<slug:slug>/keys/<slug:public_id>/revoke", keys.revoke, name="revoke_key"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("", include((pages, "orgs"))),
]
