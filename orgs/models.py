"""The tables of people and organizations."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by an e-mail address."""

    email = models.EmailField("e-mail address", unique=True)
    name = models.CharField(max_length=120, blank=True, default="", db_default="")
    is_staff = models.BooleanField("staff", default=False, db_default=False)
    is_active = models.BooleanField("active", default=True, db_default=True)
    date_joined = models.DateTimeField(db_default=Now())

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "app_user"
        constraints = [models.UniqueConstraint(Lower("email"), name="app_user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email


class Kind(models.TextChoices):
    PERSONAL = "personal", "Personal"
    TEAM = "team", "Team"


class Organization(models.Model):
    """What owns credit, keys and usage. Its kind never changes (a Personal one has free usage, a Team none)."""

    kind = models.CharField(max_length=8, choices=Kind)
    slug = models.SlugField(max_length=48, unique=True)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    members: "models.ManyToManyField[User, Membership]" = models.ManyToManyField(
        User, through="Membership", related_name="organizations"
    )

    class Meta:
        db_table = "organization"
        constraints = [models.CheckConstraint(condition=Q(kind__in=Kind.values), name="organization_kind_known")]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """From most power to least; what each may do is said in `orgs/access.py`."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    BILLING = "billing", "Billing"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"


class Membership(models.Model):
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="memberships", db_column="org_id")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=9, choices=Role)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "membership"
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display()}"


class ApiKey(models.Model):
    """A key to the inference API. The secret itself is shown once and never stored.

    `public_id` names the key in usage events and pages and opens nothing. `hash` is the SHA-256 of the whole key: the only
    way in (see decision A4 of the fine print in `docs/decisions/`). A revoked key is never un-revoked (trigger).
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="api_keys", db_column="org_id")
    public_id = models.CharField(max_length=24, unique=True)
    hash = models.BinaryField(max_length=32, unique=True)
    prefix = models.CharField(max_length=12)
    last4 = models.CharField(max_length=4)
    name = models.CharField(max_length=60)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    cap_usd = models.DecimalField("monthly spend cap", max_digits=26, decimal_places=12, null=True, blank=True)

    class Meta:
        db_table = "api_key"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="api_key_of_organization"),
            # Two-sided: PostgreSQL holds NaN for greater than every number.
            models.CheckConstraint(
                condition=Q(cap_usd__isnull=True) | Q(cap_usd__gt=0, cap_usd__lt=10**13), name="api_key_cap_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name
